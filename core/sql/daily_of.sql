-- The requests of the view `to_add`, added up by local day; the roll-up and an answer in another zone share it.
create or replace temp macro daily_of(zone_name) as table
select
    (sent_at at time zone zone_name)::date as day, model, workload, route,
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
group by all;
