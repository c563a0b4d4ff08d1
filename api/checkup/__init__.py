"""What ``chergui doctor`` looks at: each check answers with findings, each finding with its mend."""
