-- Prices the plain lines in bulk. What is left out here goes line by line through core.pricing, which is the authority; a
-- test holds that both give the same cost to the last digit.
insert into staged by name
with plain as (
    select *, rowid + $base as row_number, input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens as prompt_tokens
    from lines
    where is_plain and web_searches <= $most_searches
        and sent_at between $first_day and $last_moment
        and (ended_at is null or ended_at between $first_day and $last_moment)
), charged as (
    select
        plain.* exclude (is_plain, has_usage, prompt_tokens),
        price.price_id,
        tokens_usd(
            price, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens
        ) * geo_factor(inference_geo) as tokens_usd,
        searches_usd(web_searches) as searches_usd
    from plain
    join price_ranges as price
        on price.model = plain.model and price.speed = plain.speed
        and plain.sent_at >= price.from_at and plain.sent_at < price.to_at
        and prompt_tokens > price.prompt_over and prompt_tokens <= price.prompt_up_to
    where has_usage
)
select
    * exclude (tokens_usd, searches_usd),
    'priced' as price_status, false as estimated, false as incomplete, null as reason,
    try_cast(tokens_usd * tier_share(service_tier) + searches_usd as decimal(18, 12)) as cost_usd
from charged
union all by name
select
    * exclude (is_plain, has_usage, prompt_tokens),
    null as price_id, 'priced' as price_status, false as estimated, false as incomplete,
    status || ' requests are not billed' as reason, 0 as cost_usd
from plain
where not has_usage;
