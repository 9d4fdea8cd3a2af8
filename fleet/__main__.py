"""What a site comes to: `python -m fleet INVENTORY`. Every knob there is: `python -m fleet --knobs`."""

import argparse

from rich.console import Console

from fleet.inventory import load_or_exit
from fleet.reference import rows


def main() -> None:
    """Print the resolved site as JSON, secrets as asterisks; or the table of knobs."""
    parser = argparse.ArgumentParser(prog="python -m fleet", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("inventory", nargs="?", help="inventory file")
    what.add_argument("--knobs", action="store_true", help="every key of an inventory: default and meaning")
    arguments = parser.parse_args()
    if arguments.knobs:
        _print_knobs()
    else:
        print(load_or_exit(arguments.inventory, prepared=False).model_dump_json(indent=2))


def _print_knobs() -> None:
    table = list(rows())
    widths = [max(len(row[column]) for row in table) for column in (0, 1)]
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    for key, default, meaning in table:
        console.print(f"{key:{widths[0]}}  {default:{widths[1]}}  {meaning}")


if __name__ == "__main__":
    main()
