-- Leaves in `fresh` what the ledger does not hold yet. A month around the chunk is searched, and rows whose own time
-- is unknown always: that keeps a small ingest fast in a long history.
create or replace temp table fresh as
with once as (
    select *, identity_of(message_id, batch_id, custom_id, request_id) as identity
    from staged
    qualify row_number() over (partition by identity order by line_number) = 1
), reach as (
    select
        case when bool_or(time_assumed) then '2000-01-01'::timestamptz else min(sent_at) - interval 35 days end as low,
        case when bool_or(time_assumed) then '9999-01-01'::timestamptz else max(sent_at) + interval 35 days end as high
    from once
), known as (
    select identity_of(message_id, batch_id, custom_id, request_id) as identity
    from requests
    where sent_at between (select low from reach) and (select high from reach) or time_assumed
)
select * exclude (identity) from once where identity not in (select identity from known);
