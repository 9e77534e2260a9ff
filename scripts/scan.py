"""Scan rows against expected ones: python scripts/scan.py --background=... --evaluation=..."""

from personascan.commands.scan import start  # answers signals from its first import on

if __name__ == "__main__":
    start()
