"""Public prices, kept as a dated table: prices.csv for AWS, monitors.csv for hosted monitors.

Each row names the public page that it is from, what of it was seen, and when; where nothing of it could be looked up
the row says so, and has no date.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import msgspec

HERE = Path(__file__).parent
PRICES = HERE / "prices.csv"
MONITORS = HERE / "monitors.csv"
REGIONS = ("us-east-1", "eu-central-1")
ANY = "any"
"""The region of a price that is the same everywhere."""


class UnknownPrice(LookupError):
    """There is no such price; the text says which, and where to add it."""


class Price(msgspec.Struct, frozen=True, rename={"above": "from"}):
    """One row: a price that holds from an amount on, until the next row of the same item and region."""

    item: str
    name: str
    service: str
    region: str
    usd: float
    per: float
    """Units that cost this much."""
    unit: str
    above: float
    """Units a month from which on it holds."""
    free_per_month: float
    """Units a month of an account that cost nothing, for ever; 0: none, or they end after the first year."""
    source: str
    """The public page."""
    seen: str
    """What of it was seen."""
    looked_up: str
    """Date; empty: it was not, and is to be checked."""

    @property
    def each(self) -> float:
        """The price of one unit, USD."""
        return self.usd / self.per


class Tariff(msgspec.Struct, frozen=True):
    """The prices of one item in one region, the first tier first."""

    tiers: tuple[Price, ...]

    @property
    def first(self) -> Price:
        """The first tier."""
        return self.tiers[0]

    def charge(self, amount: float) -> float:
        """Return what so many units a month cost without the free tier, USD."""
        borders = [*(price.above for price in self.tiers[1:]), float("inf")]
        return sum(
            price.each * (min(amount, border) - price.above)
            for price, border in zip(self.tiers, borders, strict=True)
            if amount > price.above
        )

    def paid(self, amount: float) -> float:
        """Return what they cost where nothing else in the account uses the free tier, USD."""
        return self.charge(max(0.0, amount - self.first.free_per_month))


class Plan(msgspec.Struct, frozen=True):
    """One plan of a hosted monitor."""

    name: str
    plan: str
    monitors: int
    """Included."""
    seconds: int
    """Between two checks, at the least."""
    usd_per_month: float
    more_monitors: int
    """Size of a bundle that may be added; 0: none may, but the plan may be taken several times."""
    more_usd: float
    """Price of a bundle, USD a month."""
    checks: str
    source: str
    seen: str
    looked_up: str

    def cost(self, sites: int) -> float | None:
        """Return what one monitor for each site costs, USD a month; None where a free plan does not reach."""
        missing = max(0, sites - self.monitors)
        if not missing:
            return self.usd_per_month
        if self.more_monitors:
            return self.usd_per_month + -(-missing // self.more_monitors) * self.more_usd
        return -(-sites // self.monitors) * self.usd_per_month if self.usd_per_month else None


@cache
def prices() -> tuple[Price, ...]:
    """Return every row of prices.csv; ValueError names a row that is wrong."""
    return tuple(_rows(PRICES, Price))


@cache
def plans() -> tuple[Plan, ...]:
    """Return every row of monitors.csv; ValueError names a row that is wrong."""
    return tuple(_rows(MONITORS, Plan))


def tariff(item: str, region: str) -> Tariff:
    """Return the prices of an item; UnknownPrice where the table has none."""
    found = [price for price in prices() if price.item == item and price.region in (region, ANY)]
    if not found:
        raise UnknownPrice(f"{PRICES.name} has no price of {item} in {region}: look it up, and add a row")
    return Tariff(tuple(sorted(found, key=lambda price: price.above)))


def unchecked(rows: Iterable[Price | Plan]) -> list[Price | Plan]:
    """Return the rows that were not looked up."""
    return [row for row in rows if not row.looked_up]


def _rows[Row: (Price, Plan)](path: Path, kind: type[Row]) -> Iterator[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            yield _row(path, number, row, kind)


def _row[Row: (Price, Plan)](path: Path, number: int, row: Mapping[str, str], kind: type[Row]) -> Row:
    try:
        return msgspec.convert(row, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(f"{path.name}, line {number}: {error}; correct the row") from error
