-- The arithmetic of core.pricing for plain usages: exact, because a rate in USD per token has ten decimals at most and a
-- count of tokens nine digits. The factors are variables that core.ledger.prices sets from core.pricing.
create or replace temp macro tokens_usd(price, input, output, cache_read, cache_write_5m, cache_write_1h) as
    try_cast(input as decimal(10)) * price.input_usd
    + try_cast(output as decimal(10)) * price.output_usd
    + try_cast(cache_read as decimal(10)) * price.cache_read_usd
    + try_cast(cache_write_5m as decimal(10)) * price.cache_write_5m_usd
    + try_cast(cache_write_1h as decimal(10)) * price.cache_write_1h_usd;
create or replace temp macro geo_factor(inference_geo) as
    case when inference_geo = 'us' then getvariable('us_factor') else 1.0 end;
create or replace temp macro tier_share(service_tier) as
    case when service_tier = 'batch' then getvariable('batch_share') else 1.0 end;
create or replace temp macro searches_usd(web_searches) as
    try_cast(web_searches as decimal(10)) * getvariable('web_search_usd');
