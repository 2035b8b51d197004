-- The newest observation of each batch, with what only an earlier one knew.
insert into batches by name
select * exclude (row_number) replace (
    coalesce(first_value(nullif(workload, $no_workload) ignore nulls) over latest, $no_workload) as workload,
    first_value(model ignore nulls) over latest as model,
    first_value(results_path ignore nulls) over latest as results_path
)
from observed
window latest as (
    partition by batch_id order by observed_at desc, row_number desc
    rows between unbounded preceding and unbounded following
)
qualify row_number() over (partition by batch_id order by observed_at desc, row_number desc) = 1;
