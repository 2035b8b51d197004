insert into prices by name
select
    price_id, model, from_day, to_day, prompt_over, prompt_up_to, speed,
    input_usd, cache_write_5m_usd, cache_write_1h_usd, cache_read_usd, output_usd, source, checked_day
from price_ranges
where not is_alias and price_id not in (select price_id from prices);
