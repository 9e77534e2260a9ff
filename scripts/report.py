"""Make a study's page again from its results: python scripts/report.py --study=out/demo."""

from personascan.commands.report import start  # answers signals from its first import on

if __name__ == "__main__":
    start()
