"""The site guard: once a second it reads the grid meter, and derates every cap of the site where a limit is near."""
