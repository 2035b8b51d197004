-- The requests of the view `to_add`, added up by local day; the roll-up and an answer in another zone share it.
-- `local_days` comes from core.periods: DuckDB brings a time zone database of its own, which is not always as new.
create or replace temp view daily_to_add as
select
    day, model, workload, route,
    count(*) as requests,
    count(*) filter (where price_status = 'unpriced') as unpriced_requests,
    count(*) filter (where estimated) as estimated_requests,
    sum(input_tokens)::bigint as input_tokens,
    sum(output_tokens)::bigint as output_tokens,
    sum(cache_read_tokens)::bigint as cache_read_tokens,
    sum(cache_write_5m_tokens + cache_write_1h_tokens)::bigint as cache_write_tokens,
    coalesce(sum(cost_usd), 0) as cost_usd,
    coalesce(sum(list_usd), 0) as list_usd
from to_add
join local_days on sent_at >= since_at and sent_at < until_at
group by all;
