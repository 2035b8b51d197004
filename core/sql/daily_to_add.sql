-- The requests of the view `to_add`, added up by local day; the roll-up and an answer in another zone share it.
-- `offset_spans` comes from Python's zone database: DuckDB brings one of its own, which is not always as new.
create or replace temp view daily_to_add as
select
    date '1970-01-01' + ((epoch_us(sent_at) + offset_us) // 86_400_000_000)::integer as day, model, workload, route,
    sum(sign)::bigint as requests,
    coalesce(sum(sign) filter (where price_status = 'unpriced'), 0)::bigint as unpriced_requests,
    coalesce(sum(sign) filter (where estimated), 0)::bigint as estimated_requests,
    sum(sign * input_tokens)::bigint as input_tokens,
    sum(sign * output_tokens)::bigint as output_tokens,
    sum(sign * cache_read_tokens)::bigint as cache_read_tokens,
    sum(sign * (cache_write_5m_tokens + cache_write_1h_tokens))::bigint as cache_write_tokens,
    coalesce(sum(sign * cost_usd), 0) as cost_usd,
    coalesce(sum(sign * list_usd(cost_usd, service_tier, web_searches)), 0) as list_usd
from to_add
join offset_spans on sent_at >= since_at and sent_at < until_at
group by all;
