"""The questions that the ledger answers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import duckdb

from core.facts import Batch, DailySpend, Gone, QuarantinedLine, Span, Spend, SpendRow, Unpriced
from core.ledger.days import view_daily
from core.ledger.store import read_meta
from core.periods import Period, parse_instant

Split = Literal["model", "workload", "route", "day"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_SUMS = """
    coalesce(sum(requests), 0)::bigint, coalesce(sum(unpriced_requests), 0)::bigint,
    coalesce(sum(estimated_requests), 0)::bigint, coalesce(sum(requests) filter (where route = 'batch'), 0)::bigint,
    coalesce(sum(input_tokens), 0)::bigint, coalesce(sum(output_tokens), 0)::bigint,
    coalesce(sum(cache_read_tokens), 0)::bigint, coalesce(sum(cache_write_tokens), 0)::bigint,
    coalesce(sum(cost_usd), 0)::decimal(38, 12), coalesce(sum(list_usd), 0)::decimal(38, 12)
"""


class Reader:
    """Reads one state of the ledger; days are those of `zone`. Good for one thread, until its block ends."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, zone: str) -> None:
        self._connection = connection
        self.zone = zone

    def total(self, period: Period) -> Spend:
        """What the period cost; all zero when nothing was sent."""
        row = self._rows(
            f"select {_SUMS} from daily where day >= $first and day < $end", first=period.first, end=period.end
        )[0]
        return Spend(*row)

    def spend_by(self, period: Period, by: Split, tz: str | None = None) -> list[SpendRow]:
        """Spend by model, workload or route, dearest first, or by day in order; keys without requests are absent.

        `tz` cuts the period and its days in another zone, for this answer only.
        """
        order = "1" if by == "day" else "sum(cost_usd) desc, 1"
        rows = self._rows(
            f"select {by}::varchar, {_SUMS} from {self._days(period, tz)} "
            f"where day >= $first and day < $end group by 1 order by {order}",
            first=period.first,
            end=period.end,
        )
        return [SpendRow(key, Spend(*sums)) for key, *sums in rows]

    def spend_by_day(self, period: Period, by: Literal["model", "workload", "route"]) -> list[DailySpend]:
        """Spend per day and key, oldest first; days without requests are absent."""
        rows = self._rows(
            f"select day, {by}, sum(requests)::bigint, sum(cost_usd), sum(list_usd) from daily "
            "where day >= $first and day < $end group by all order by all",
            first=period.first,
            end=period.end,
        )
        return [DailySpend(*row) for row in rows]

    def rankings(self) -> dict[str, list[str]]:
        """Every model, workload and route that the ledger ever met, each dearest first."""
        rows = self._rows(
            """
            select
                coalesce(model, workload, route),
                case when model is not null then 'model' when workload is not null then 'workload' else 'route' end
            from daily group by grouping sets (model, workload, route) order by sum(cost_usd) desc, 1
            """
        )
        return {by: [key for key, of in rows if of == by] for by in ("model", "workload", "route")}

    def unpriced(self, period: Period) -> list[Unpriced]:
        """Requests of the period without a price by model and reason, most first."""
        rows = self._rows(
            "select model, reason, count(*) from requests where price_status = 'unpriced' "
            "and sent_at >= $since and sent_at < $until group by all order by 3 desc, 1, 2",
            since=period.since(self.zone),
            until=period.until(self.zone),
        )
        return [Unpriced(*row) for row in rows]

    def batches(self) -> list[Batch]:
        """Every batch as last observed, newest first, with what its recorded items cost."""
        rows = self._rows(
            """
            select
                batch_id, workload, model, status,
                epoch_us(created_at), epoch_us(ended_at), epoch_us(expires_at), epoch_us(cancel_initiated_at),
                batches.requests, succeeded, errored, canceled, expired,
                coalesce(unpriced_requests, 0), coalesce(cost_usd, 0), coalesce(list_usd, 0), results_path,
                coalesce(items.requests, 0)
            from batches left join batch_sums as items using (batch_id)
            order by created_at desc, batch_id
            """
        )
        # Times as numbers: DuckDB makes aware ones through pytz, which takes most of the time of ten thousand batches.
        return [Batch(*row[:4], *map(_moment, row[4:8]), *row[8:]) for row in rows]

    def span(self) -> Span | None:
        """The first and the newest request; None for an empty ledger."""
        rows = self._rows("select first_at, newest_at from extent")
        return Span(*rows[0]) if rows else None

    def gone(self) -> Gone | None:
        """What the ledger lacks because it was made anew from journals that no longer held it; None if nothing."""
        meta = read_meta(self._connection)
        return Gone(int(meta["gone_lines"]), parse_instant(meta["gone_until"])) if "gone_lines" in meta else None

    def quarantine(self) -> list[QuarantinedLine]:
        """Journal lines that could not become a fact, newest first."""
        rows = self._rows("select file, line, reason from quarantine order by noticed_at desc, file, line")
        return [QuarantinedLine(*row) for row in rows]

    def journal_counts(self, files: list[str]) -> tuple[int, int]:
        """Lines of these journal files that became a fact, and those that were known before."""
        row = self._rows(
            "select coalesce(sum(added), 0)::bigint, coalesce(sum(duplicates), 0)::bigint "
            "from journal_files where file in (select unnest($files))",
            files=files,
        )[0]
        return int(row[0]), int(row[1])

    def _days(self, period: Period, tz: str | None) -> str:
        """What to read days from: the roll-up, or for another zone the requests themselves."""
        if tz is None or tz == self.zone:
            return "daily"
        since, until = (f"'{at.isoformat()}'::timestamptz" for at in (period.since(tz), period.until(tz)))
        view_daily(
            self._connection, f"select *, 1 as sign from requests where sent_at >= {since} and sent_at < {until}", tz
        )
        return "daily_to_add"

    def _rows(self, text: str, **values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(text, values).fetchall()


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else EPOCH + timedelta(microseconds=microseconds)
