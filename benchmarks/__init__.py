"""What measures personascan: speed, power, validity and damage. Not installed with it."""
