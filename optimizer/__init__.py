"""From a problem document to a plan that the referee has passed."""
