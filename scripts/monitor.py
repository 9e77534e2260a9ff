"""Watch a conversation with what a study found: python scripts/monitor.py --study=out/demo ..."""

from personascan.commands.monitor import start  # answers signals from its first import on

if __name__ == "__main__":
    start()
