-- Prices the lines on which nothing is unusual, in bulk. Every cast is a try_cast: DuckDB may cast before it filters,
-- and one bad line must not fail the others. What is left out here goes line by line through core.pricing,
-- which is the authority; a test holds that both give the same cost to the last digit.
insert into staged by name
with plain as (
    select
        * replace (
            try_cast(request_id as uuid) as request_id,
            try_cast(sent_at as timestamptz) as sent_at,
            try_cast(ended_at as timestamptz) as ended_at,
            workload->>'$' as workload, model->>'$' as model, stop_reason->>'$' as stop_reason,
            nullif(batch_id->>'$', '') as batch_id, nullif(custom_id->>'$', '') as custom_id, api_request_id->>'$' as api_request_id,
            nullif(message_id->>'$', '') as message_id, source->>'$' as source,
            try_cast(input_tokens as bigint) as input_tokens,
            try_cast(output_tokens as bigint) as output_tokens,
            coalesce(try_cast(cache_read_tokens as bigint), 0) as cache_read_tokens,
            coalesce(try_cast(cache_write_5m_tokens as bigint), 0) as cache_write_5m_tokens,
            coalesce(try_cast(cache_write_1h_tokens as bigint), 0) as cache_write_1h_tokens,
            coalesce(try_cast(cache_write_tokens as bigint), 0) as cache_write_tokens,
            coalesce(try_cast(web_searches as bigint), 0) as web_searches
        )
    from lines
    where v = '1' and kind = '"request"' and status = 'succeeded'
        and try_cast(request_id as uuid) is not null
        and is_instant(sent_at) and (ended_at is null or is_instant(ended_at))
        and (route = 'sync' and service_tier = 'standard' or route = 'batch' and service_tier = 'batch')
        and (speed = 'standard' or speed = 'fast' and route = 'sync')
        and inference_geo in ('global', 'not_available', 'us')
        and json_type(model) = 'VARCHAR' and json_type(source) = 'VARCHAR' and json_type(workload) = 'VARCHAR'
        and coalesce(json_type(stop_reason), 'VARCHAR') = 'VARCHAR'
        and coalesce(json_type(batch_id), 'VARCHAR') = 'VARCHAR'
        and coalesce(json_type(custom_id), 'VARCHAR') = 'VARCHAR'
        and coalesce(json_type(api_request_id), 'VARCHAR') = 'VARCHAR'
        and coalesce(json_type(message_id), 'VARCHAR') = 'VARCHAR'
        and refusal_category is null and error_type is null
        and iterations is null and fallback_credit is null
        and coalesce(time_assumed, 'false') = 'false'
        and coalesce(incomplete, 'false') = 'false'
        and coalesce(streamed, 'true') in ('true', 'false')
        and coalesce(attempt_statuses, '[200]') = '[200]'
        and is_count(attempts)
        and (tags is null or regexp_full_match(tags, '\{("[^"\\]*":"[^"\\]*",?)*\}'))
        and input_tokens is not null and is_count(input_tokens)
        and output_tokens is not null and is_count(output_tokens)
        and is_count(cache_read_tokens) and is_count(cache_write_tokens)
        and is_count(cache_write_5m_tokens) and is_count(cache_write_1h_tokens) and is_count(web_searches)
), checked as (
    select *, input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens as prompt_tokens
    from plain
    where sent_at between $first_day and $last_moment
        and (ended_at is null or ended_at between $first_day and $last_moment)
        and cache_write_tokens = cache_write_5m_tokens + cache_write_1h_tokens
        and not (coalesce(stop_reason, '') = 'refusal' and output_tokens = 0)
        and model <> '' and source <> ''
), priced as (
    select
        checked.* exclude (v, kind, iterations, fallback_credit, cache_write_tokens, prompt_tokens, refusal_category, error_type),
        price.price_id,
        (try_cast(input_tokens as decimal(10)) * price.input_usd + try_cast(output_tokens as decimal(10)) * price.output_usd
            + try_cast(cache_read_tokens as decimal(10)) * price.cache_read_usd
            + try_cast(cache_write_5m_tokens as decimal(10)) * price.cache_write_5m_usd
            + try_cast(cache_write_1h_tokens as decimal(10)) * price.cache_write_1h_usd)
            * case when inference_geo = 'us' then $us_factor else 1.0 end as tokens_usd,
        try_cast(web_searches as decimal(10)) * $web_search_usd as searches_usd
    from checked
    join price_ranges as price
        on price.model = checked.model and price.speed = checked.speed
        and checked.sent_at >= price.from_at and checked.sent_at < price.to_at
        and prompt_tokens > price.prompt_over and prompt_tokens <= price.prompt_up_to
)
select
    * exclude (tokens_usd, searches_usd)
    replace (
        coalesce(nullif(workload, ''), $no_workload) as workload,
        nullif(tags, '{}') as tags,
        try_cast(attempts as integer) as attempts,
        false as time_assumed,
        null as attempt_statuses,
        false as incomplete,
        try_cast(streamed as boolean) as streamed
    ),
    'priced' as price_status,
    false as estimated,
    try_cast(tokens_usd * case when service_tier = 'batch' then $batch_share else 1.0 end + searches_usd as decimal(18, 12)) as cost_usd,
    try_cast(tokens_usd + searches_usd as decimal(18, 12)) as list_usd
from priced;
