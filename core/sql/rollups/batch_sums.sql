merge into batch_sums
using (
    select
        batch_id,
        sum(sign)::bigint as requests,
        coalesce(sum(sign) filter (where price_status = 'unpriced'), 0)::bigint as unpriced_requests,
        coalesce(sum(sign * cost_usd), 0) as cost_usd,
        coalesce(sum(sign * list_usd(cost_usd, service_tier, web_searches)), 0) as list_usd
    from to_add where batch_id is not null group by 1
) as added
on batch_sums.batch_id = added.batch_id
when matched then update set
    requests = batch_sums.requests + added.requests,
    unpriced_requests = batch_sums.unpriced_requests + added.unpriced_requests,
    cost_usd = batch_sums.cost_usd + added.cost_usd,
    list_usd = batch_sums.list_usd + added.list_usd
when not matched then insert by name;
