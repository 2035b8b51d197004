-- Of two records of one request the one that tells more is kept: `fresh` is what is then to be stored, `replaced` what of the
-- ledger it takes the place of.
create or replace temp table fresh as
with by_message as (
    from staged qualify message_id is null or row_number() over (partition by message_id order by telling(output_tokens, status, incomplete) desc, row_number) = 1
), by_item as (
    from by_message qualify batch_id is null or custom_id is null
        or row_number() over (partition by batch_id, custom_id order by telling(output_tokens, status, incomplete) desc, row_number) = 1
), by_id as (
    from by_item qualify row_number() over (partition by request_id order by telling(output_tokens, status, incomplete) desc, row_number) = 1
), known as (
    select row_number, bool_and(is_better) as is_better, min(known_id) as known_id from met group by 1
)
select by_id.* replace (coalesce(known_id, request_id) as request_id)
from by_id left join known using (row_number)
where coalesce(is_better, true)
qualify known_id is null or row_number() over (partition by known_id order by telling(output_tokens, status, incomplete) desc, row_number) = 1;

create or replace temp table replaced as
select 0::bigint as row_number, near.* from near_requests as near
where request_id in (select known_id from met join fresh using (row_number));
