-- Every line of some files in their order, one row a line: `rowid` counts from 0. Fails as a whole where a line is no JSON
-- object, has a field twice or an id that is no UUID. A request on which nothing is unusual `is_plain`; any other line is
-- judged in Python. Numbers, flags and free text come as raw JSON, because DuckDB takes "12", 1.5 and true for numbers and 5
-- for text. What is compared with our own words below, or has to be the name of a model with a price, may come as text.
create or replace temp table lines as
with raw as (
    select columns(* exclude (request_id, usage))::varchar, request_id, usage
    from read_json(
        $files,
        format = 'newline_delimited', records = 'true', maximum_object_size = $longest,
        columns = {
            v: 'JSON', kind: 'VARCHAR', request_id: 'UUID', sent_at: 'VARCHAR', ended_at: 'VARCHAR', route: 'VARCHAR',
            model: 'VARCHAR', status: 'VARCHAR', refusal_category: 'VARCHAR', workload: 'JSON', stop_reason: 'JSON',
            error_type: 'JSON', batch_id: 'JSON', custom_id: 'JSON', api_request_id: 'JSON', message_id: 'JSON', source: 'JSON',
            attempts: 'JSON', attempt_statuses: 'JSON', streamed: 'JSON', incomplete: 'JSON', time_assumed: 'JSON', tags: 'JSON',
            usage: 'STRUCT(
                input_tokens JSON, output_tokens JSON, cache_read_input_tokens JSON, cache_creation_input_tokens JSON,
                cache_creation STRUCT(ephemeral_5m_input_tokens JSON, ephemeral_1h_input_tokens JSON),
                server_tool_use STRUCT(web_search_requests JSON), speed VARCHAR, service_tier VARCHAR, inference_geo VARCHAR,
                iterations JSON, fallback_credit JSON
            )'
        }
    )
), opened as (
    select
        * exclude (usage),
        usage is not null as has_usage,
        usage.input_tokens::varchar as input_tokens,
        usage.output_tokens::varchar as output_tokens,
        usage.cache_read_input_tokens::varchar as cache_read_tokens,
        usage.cache_creation_input_tokens::varchar as cache_write_tokens,
        usage.cache_creation.ephemeral_5m_input_tokens::varchar as cache_write_5m_tokens,
        usage.cache_creation.ephemeral_1h_input_tokens::varchar as cache_write_1h_tokens,
        usage.server_tool_use.web_search_requests::varchar as web_searches,
        coalesce(usage.speed, 'standard') as speed,
        coalesce(usage.service_tier, if(usage is null and route = 'batch', 'batch', 'standard')) as service_tier,
        coalesce(usage.inference_geo, 'global') as inference_geo,
        usage.iterations is null and usage.fallback_credit is null as is_one_answer,
        try_cast(sent_at as timestamptz) as sent,
        try_cast(ended_at as timestamptz) as ended
    from raw
), judged as (
    select *,
        v = '1' and kind = 'request'
        and case status
            when 'succeeded' then has_usage and error_type is null
            when 'errored' then not has_usage
            when 'canceled' then not has_usage
            when 'expired' then not has_usage
            else false
        end
        and request_id is not null
        and is_instant(sent_at) and sent is not null
        and (ended_at is null or is_instant(ended_at) and ended is not null)
        and (route = 'sync' and service_tier = 'standard' or route = 'batch' and service_tier = 'batch')
        and (speed = 'standard' or speed = 'fast' and route = 'sync')
        and inference_geo in ('global', 'not_available', 'us')
        and is_text(source) and strlen(source) > 2 and is_text(workload) and is_text(stop_reason) and is_text(error_type)
        and is_text(batch_id) and is_text(custom_id) and is_text(api_request_id) and is_text(message_id)
        and refusal_category is null and is_one_answer
        and is_flag(streamed) and is_flag(time_assumed) and coalesce(incomplete, 'false') = 'false'
        and is_count(attempts) and coalesce(attempt_statuses, '[200]') = '[200]'
        and (tags is null or regexp_full_match(tags, '\{("[^"\\]*":"[^"\\]*",?)*\}'))
        and (not has_usage or input_tokens is not null and output_tokens is not null)
        and is_count(input_tokens) and is_count(output_tokens)
        and is_count(cache_read_tokens) and is_count(cache_write_tokens)
        and is_count(cache_write_5m_tokens) and is_count(cache_write_1h_tokens) and is_count(web_searches)
        and as_count(cache_write_tokens) = as_count(cache_write_5m_tokens) + as_count(cache_write_1h_tokens)
        and not (stop_reason is not distinct from '"refusal"' and output_tokens is not distinct from '0') as is_plain
    from opened
)
select
    coalesce(is_plain, false) as is_plain,
    has_usage,
    request_id,
    as_text(message_id) as message_id,
    as_text(api_request_id) as api_request_id,
    as_text(batch_id) as batch_id,
    as_text(custom_id) as custom_id,
    coalesce(as_text(workload), $no_workload) as workload,
    model,
    route,
    status,
    as_text(stop_reason) as stop_reason,
    as_text(error_type) as error_type,
    sent as sent_at,
    coalesce(time_assumed = 'true', false) as time_assumed,
    ended as ended_at,
    try_cast(attempts as integer) as attempts,
    inside(source) as source,
    nullif(tags, '{}') as tags,
    streamed = 'true' as streamed,
    as_count(input_tokens) as input_tokens,
    as_count(output_tokens) as output_tokens,
    as_count(cache_read_tokens) as cache_read_tokens,
    as_count(cache_write_5m_tokens) as cache_write_5m_tokens,
    as_count(cache_write_1h_tokens) as cache_write_1h_tokens,
    as_count(web_searches) as web_searches,
    speed,
    service_tier,
    inference_geo
from judged;
