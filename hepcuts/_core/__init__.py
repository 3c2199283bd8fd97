"""What every other part of hepcuts stands on: no physics in here."""
