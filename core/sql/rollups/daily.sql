merge into daily
using daily_to_add as added
on daily.day = added.day and daily.model = added.model and daily.workload = added.workload and daily.route = added.route
when matched then update set
    requests = daily.requests + added.requests,
    unpriced_requests = daily.unpriced_requests + added.unpriced_requests,
    estimated_requests = daily.estimated_requests + added.estimated_requests,
    input_tokens = daily.input_tokens + added.input_tokens,
    output_tokens = daily.output_tokens + added.output_tokens,
    cache_read_tokens = daily.cache_read_tokens + added.cache_read_tokens,
    cache_write_tokens = daily.cache_write_tokens + added.cache_write_tokens,
    cost_usd = daily.cost_usd + added.cost_usd,
    list_usd = daily.list_usd + added.list_usd
when not matched then insert by name;
delete from daily where requests = 0;
