-- What keeps a long history fast and every line counted once, whatever happened to a file meanwhile.

alter table journal_files add column tail varchar;
comment on column journal_files.tail is 'Digest of what stood just before `bytes`: a file that was cut or replaced is read again';

alter table quarantine add column retry_at timestamptz;
comment on column quarantine.retry_at is 'When the line may become a fact, because only the clock spoke against it; null for never';
comment on column quarantine.content is 'The line, undecodable bytes replaced; of one with more than 100,000 characters the first 300';

create table repeats (
    request_id         uuid not null,
    file               varchar not null,
    line               bigint not null,
    kept               varchar not null,
    output_tokens      bigint not null,
    cost_usd           decimal(18, 12),
    other_output_tokens bigint not null,
    other_cost_usd     decimal(18, 12),
    noticed_at         timestamptz not null
);
comment on table repeats is 'Requests that were recorded twice with different numbers; the one with more output is kept.';
comment on column repeats.request_id is 'The request in the ledger';
comment on column repeats.file is 'Journal file of the later line';
comment on column repeats.line is 'Number of the later line in that file';
comment on column repeats.kept is 'Which one was kept: earlier or later';
comment on column repeats.output_tokens is 'Output tokens of the one that was kept';
comment on column repeats.cost_usd is 'Its cost in USD; null when unpriced';
comment on column repeats.other_output_tokens is 'Output tokens of the other one';
comment on column repeats.other_cost_usd is 'What that would have cost in USD; null when unpriced';
comment on column repeats.noticed_at is 'When the ledger met the later line';

-- A request's price without batching follows from its cost: half of the tokens' price is paid in a batch, searches are paid
-- in full (core.pricing), and what cost nothing costs nothing. Not stored, it saves six bytes a request.
create macro list_usd(cost_usd, service_tier, web_searches) as
    (case
        when service_tier = 'batch' and cost_usd > 0 then 2 * cost_usd - 0.01 * web_searches
        else cost_usd
    end)::decimal(18, 12);

create table batch_sums (
    batch_id          varchar not null,
    requests          bigint not null,
    unpriced_requests bigint not null,
    cost_usd          decimal(38, 12) not null,
    list_usd          decimal(38, 12) not null
);
comment on table batch_sums is 'Recorded items added up by batch; kept in the transaction that adds the requests.';
comment on column batch_sums.batch_id is 'The API''s id (msgbatch_…)';
comment on column batch_sums.requests is 'Items recorded';
comment on column batch_sums.unpriced_requests is 'Of these without a price';
comment on column batch_sums.cost_usd is 'Cost of the priced items in USD';
comment on column batch_sums.list_usd is 'The same tokens at the synchronous price in USD';

insert into batch_sums
select
    batch_id, count(*), count(*) filter (where price_status = 'unpriced'),
    coalesce(sum(cost_usd), 0), coalesce(sum(list_usd), 0)
from requests where batch_id is not null group by 1;

create table extent (
    first_at         timestamptz not null,
    newest_at        timestamptz not null,
    assumed_requests bigint not null
);
comment on table extent is 'One row once there are requests: what the ledger covers.';
comment on column extent.first_at is 'When the first request was sent';
comment on column extent.newest_at is 'When the newest answer was complete, or the newest request was sent';
comment on column extent.assumed_requests is 'Requests whose time is that of their import';

alter table requests drop column list_usd;

insert into extent
select min(sent_at), max(coalesce(ended_at, sent_at)), count(*) filter (where time_assumed)
from requests having count(*) > 0;
