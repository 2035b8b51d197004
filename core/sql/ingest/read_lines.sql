-- Every line of the chunk, its fields taken out where they have the expected type, null elsewhere. A line that escapes a
-- NUL or half a surrogate pair is left to Python, which knows whether it is text.
create or replace temp table lines as
with parsed as (
    select line_number, json_transform(
        case when strlen(line) <= $longest and json_valid(line) and not regexp_matches(line, '\\u(0000|[dD][89a-fA-F])')
            then line end, '{
        "v": "JSON", "kind": "JSON", "request_id": "VARCHAR", "sent_at": "VARCHAR", "ended_at": "VARCHAR",
        "route": "VARCHAR", "workload": "JSON", "model": "JSON", "status": "VARCHAR", "stop_reason": "JSON",
        "refusal_category": "JSON", "error_type": "JSON", "batch_id": "JSON", "custom_id": "JSON",
        "api_request_id": "JSON", "message_id": "JSON", "attempts": "JSON", "source": "JSON", "tags": "JSON",
        "time_assumed": "JSON", "attempt_statuses": "JSON", "streamed": "JSON", "incomplete": "JSON",
        "usage": {
            "input_tokens": "JSON", "output_tokens": "JSON", "cache_read_input_tokens": "JSON",
            "cache_creation_input_tokens": "JSON",
            "cache_creation": {"ephemeral_5m_input_tokens": "JSON", "ephemeral_1h_input_tokens": "JSON"},
            "server_tool_use": {"web_search_requests": "JSON"},
            "speed": "VARCHAR", "service_tier": "VARCHAR", "inference_geo": "VARCHAR",
            "iterations": "JSON", "fallback_credit": "JSON"
        }
    }') as field
    from incoming
)
select
    line_number,
    absent_is_null(field.v) as v,
    absent_is_null(field.kind) as kind,
    field.request_id, field.sent_at, field.ended_at, field.route, field.status,
    absent_is_null(field.workload) as workload,
    absent_is_null(field.model) as model,
    absent_is_null(field.stop_reason) as stop_reason,
    absent_is_null(field.refusal_category) as refusal_category,
    absent_is_null(field.error_type) as error_type,
    absent_is_null(field.batch_id) as batch_id,
    absent_is_null(field.custom_id) as custom_id,
    absent_is_null(field.api_request_id) as api_request_id,
    absent_is_null(field.message_id) as message_id,
    absent_is_null(field.attempts) as attempts,
    absent_is_null(field.source) as source,
    absent_is_null(field.tags) as tags,
    absent_is_null(field.time_assumed) as time_assumed,
    absent_is_null(field.attempt_statuses) as attempt_statuses,
    absent_is_null(field.streamed) as streamed,
    absent_is_null(field.incomplete) as incomplete,
    absent_is_null(field.usage.input_tokens) as input_tokens,
    absent_is_null(field.usage.output_tokens) as output_tokens,
    absent_is_null(field.usage.cache_read_input_tokens) as cache_read_tokens,
    absent_is_null(field.usage.cache_creation_input_tokens) as cache_write_tokens,
    absent_is_null(field.usage.cache_creation.ephemeral_5m_input_tokens) as cache_write_5m_tokens,
    absent_is_null(field.usage.cache_creation.ephemeral_1h_input_tokens) as cache_write_1h_tokens,
    absent_is_null(field.usage.server_tool_use.web_search_requests) as web_searches,
    coalesce(field.usage.speed, 'standard') as speed,
    coalesce(field.usage.service_tier, 'standard') as service_tier,
    coalesce(field.usage.inference_geo, 'global') as inference_geo,
    absent_is_null(field.usage.iterations) as iterations,
    absent_is_null(field.usage.fallback_credit) as fallback_credit
from parsed;
