-- Leaves in `fresh` what the ledger does not hold yet, by any of the three names that a request has: the answer's id, its
-- place in a batch, our own id. Recorders write at once, so a month around the chunk is searched for what they wrote;
-- an import may carry any time, so imports are searched for, and looked through, without a limit. That keeps a small
-- ingest fast in a long history.
create or replace temp table fresh as
with by_message as (
    select * from staged
    qualify message_id is null or row_number() over (partition by message_id order by line_number) = 1
), by_item as (
    select * from by_message
    qualify batch_id is null or custom_id is null
        or row_number() over (partition by batch_id, custom_id order by line_number) = 1
), once as (
    select * from by_item
    qualify row_number() over (partition by request_id order by line_number) = 1
), reach as (
    select
        case when bool_or(is_import(source)) then '2000-01-01'::timestamptz else min(sent_at) - interval 35 days end as low,
        case when bool_or(is_import(source)) then '9999-01-01'::timestamptz else max(sent_at) + interval 35 days end as high
    from once
), known as (
    select request_id, message_id, batch_id, custom_id
    from requests
    where sent_at between (select low from reach) and (select high from reach) or is_import(source)
)
select * from once
where request_id not in (select request_id from known)
    and (message_id is null or message_id not in (select message_id from known where message_id is not null))
    and (
        batch_id is null or custom_id is null
        or (batch_id, custom_id) not in (select (batch_id, custom_id) from known where batch_id is not null and custom_id is not null)
    );
