"""hepcuts: choose selection cuts by the significance that the analysis will publish."""
