-- Which of the staged requests are the same as one of the ledger, or as one another, by any of the three names that a
-- request has: our own id, the answer's id, its place in a batch. `near_requests` holds those of the ledger that could be.
create or replace temp table met as
with pairs as (
    select near.request_id as known_id, row_number from near_requests as near join staged using (request_id)
    union
    select near.request_id, row_number from near_requests as near join staged using (message_id)
    union
    select near.request_id, row_number
    from near_requests as near join staged on near.batch_id = staged.batch_id and near.custom_id = staged.custom_id
)
select
    known_id, row_number, known.output_tokens as known_output_tokens, known.cost_usd as known_cost_usd,
    staged.output_tokens, staged.cost_usd, 
    telling(staged.output_tokens, staged.status, staged.incomplete) > telling(known.output_tokens, known.status, known.incomplete) as is_better,
    (staged.input_tokens, staged.output_tokens, staged.cost_usd) is distinct from (known.input_tokens, known.output_tokens, known.cost_usd) as differs
from pairs join staged using (row_number) join near_requests as known on known.request_id = known_id;
