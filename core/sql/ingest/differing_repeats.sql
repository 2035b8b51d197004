-- Repeats with other numbers, of a row of the ledger and inside what is staged, with which of the two is kept.
select
    row_number, known_id::varchar as request_id, if(kept_row is null, 'earlier', 'later') as kept,
    if(kept_row is null, known_output_tokens, output_tokens) as output_tokens,
    if(kept_row is null, known_cost_usd, cost_usd) as cost_usd,
    if(kept_row is null, output_tokens, known_output_tokens) as other_output_tokens,
    if(kept_row is null, cost_usd, known_cost_usd) as other_cost_usd
from met left join (select row_number as kept_row from fresh) on kept_row = met.row_number
where differs
union all
select
    greatest(kept.row_number, other.row_number), kept.request_id::varchar, if(kept.row_number < other.row_number, 'earlier', 'later'),
    kept.output_tokens, kept.cost_usd, other.output_tokens, other.cost_usd
from staged as other
join fresh as kept on kept.row_number <> other.row_number and (
    kept.message_id = other.message_id
    or kept.batch_id = other.batch_id and kept.custom_id = other.custom_id
    or kept.request_id = other.request_id
)
where other.row_number not in (select row_number from fresh) and other.row_number not in (select row_number from met)
    and (kept.input_tokens, kept.output_tokens, kept.cost_usd) is distinct from (other.input_tokens, other.output_tokens, other.cost_usd)
order by all;
