-- The ledger as of schema version 1. No primary keys or indexes: in DuckDB they double the file and slow the load
-- threefold, and ids are kept unique by the ingest, which is the only writer.

create table ledger_meta (
    name  varchar not null,
    value varchar not null
);
comment on table ledger_meta is 'Facts about the ledger itself: time_zone, in which days are cut, and time_zone_from, settings or machine.';
comment on column ledger_meta.name is 'What the fact is about';
comment on column ledger_meta.value is 'The fact, as text';

create table journal_files (
    file       varchar not null,
    bytes      bigint not null,
    lines      bigint not null,
    added      bigint not null,
    duplicates bigint not null
);
comment on table journal_files is 'How far each journal file has been read; changes in the transaction that stores its lines.';
comment on column journal_files.file is 'File name inside the home''s journal folder';
comment on column journal_files.bytes is 'Bytes read so far; always ends just after a newline';
comment on column journal_files.lines is 'Lines read so far';
comment on column journal_files.added is 'Lines that became a fact';
comment on column journal_files.duplicates is 'Lines whose request was in the ledger already';

create table quarantine (
    file       varchar not null,
    line       bigint not null,
    reason     varchar not null,
    content    varchar not null,
    noticed_at timestamptz not null
);
comment on table quarantine is 'Journal lines that could not become a fact; nothing of them is counted.';
comment on column quarantine.file is 'Journal file name';
comment on column quarantine.line is 'Line number in that file, from 1';
comment on column quarantine.reason is 'What is wrong with the line';
comment on column quarantine.content is 'The first 300 characters of the line, undecodable bytes replaced';
comment on column quarantine.noticed_at is 'When the ledger met the line';

create table prices (
    price_id       varchar not null,
    model          varchar not null,
    from_day       date not null,
    to_day         date,
    prompt_over    bigint not null,
    prompt_up_to   bigint not null,
    speed          varchar not null,
    input_usd          decimal(18, 12) not null,
    cache_write_5m_usd decimal(18, 12) not null,
    cache_write_1h_usd decimal(18, 12) not null,
    cache_read_usd     decimal(18, 12) not null,
    output_usd         decimal(18, 12) not null,
    source         varchar not null,
    checked_day    date not null
);
comment on table prices is 'Every price that the ledger ever used or could use; rows are never changed, a new rate is a new price_id.';
comment on column prices.price_id is 'Key that changes whenever a rate changes';
comment on column prices.model is 'Model id as the API reports it';
comment on column prices.from_day is 'First UTC day in force';
comment on column prices.to_day is 'First UTC day no longer in force; null while it still is';
comment on column prices.prompt_over is 'For prompts with more tokens than this (cached tokens count); -1 without a limit';
comment on column prices.prompt_up_to is 'For prompts with at most this many tokens; 2^62 without a limit';
comment on column prices.speed is 'standard or fast';
comment on column prices.input_usd is 'USD per uncached input token';
comment on column prices.cache_write_5m_usd is 'USD per token written to the 5-minute cache';
comment on column prices.cache_write_1h_usd is 'USD per token written to the 1-hour cache';
comment on column prices.cache_read_usd is 'USD per token read from the cache';
comment on column prices.output_usd is 'USD per output token';
comment on column prices.source is 'Where the price was read';
comment on column prices.checked_day is 'When it was last compared with the source';

create table requests (
    request_id            uuid not null,
    message_id            varchar,
    api_request_id        varchar,
    batch_id              varchar,
    custom_id             varchar,
    workload              varchar not null,
    model                 varchar not null,
    route                 varchar not null,
    status                varchar not null,
    stop_reason           varchar,
    refusal_category      varchar,
    error_type            varchar,
    sent_at               timestamptz not null,
    time_assumed          boolean not null,
    ended_at              timestamptz,
    attempts              integer,
    source                varchar not null,
    tags                  varchar,
    input_tokens          bigint not null,
    output_tokens         bigint not null,
    cache_read_tokens     bigint not null,
    cache_write_5m_tokens bigint not null,
    cache_write_1h_tokens bigint not null,
    web_searches          bigint not null,
    speed                 varchar not null,
    service_tier          varchar not null,
    inference_geo         varchar not null,
    raw_usage             varchar,
    price_status          varchar not null,
    estimated             boolean not null,
    reason                varchar,
    price_id              varchar,
    cost_usd              decimal(18, 12),
    list_usd              decimal(18, 12)
);
comment on table requests is 'One row per request sent, synchronous or as a batch item.';
comment on column requests.request_id is 'Our own id, a UUIDv7 for requests that Halfprice or its capture sent';
comment on column requests.message_id is 'The API''s id of the answer (msg_…)';
comment on column requests.api_request_id is 'The API''s id of the HTTP request (req_…)';
comment on column requests.batch_id is 'The batch it was an item of; null for a synchronous request';
comment on column requests.custom_id is 'The user''s id of the item, unique only inside its batch';
comment on column requests.workload is 'The workload it belongs to; unlabelled if nobody said';
comment on column requests.model is 'Model id as the response reports it';
comment on column requests.route is 'sync or batch';
comment on column requests.status is 'succeeded, errored, canceled or expired';
comment on column requests.stop_reason is 'The response''s stop_reason';
comment on column requests.refusal_category is 'stop_details.category of a refusal';
comment on column requests.error_type is 'The API''s error type of an errored request';
comment on column requests.sent_at is 'When it was sent; for a batch item when the batch was created';
comment on column requests.time_assumed is 'True when sent_at is not the request''s own time but that of its import';
comment on column requests.ended_at is 'When the answer was complete; for a batch item when the batch ended';
comment on column requests.attempts is 'HTTP attempts that it took; null if unknown';
comment on column requests.source is 'Who recorded it: capture, run, import jsonl, sample …';
comment on column requests.tags is 'The user''s labels as a JSON object of text; null without any';
comment on column requests.input_tokens is 'Uncached input tokens, as the API counts; with iterations the sum over them';
comment on column requests.output_tokens is 'Output tokens, thinking included';
comment on column requests.cache_read_tokens is 'Input tokens read from the prompt cache';
comment on column requests.cache_write_5m_tokens is 'Input tokens written to the 5-minute cache';
comment on column requests.cache_write_1h_tokens is 'Input tokens written to the 1-hour cache';
comment on column requests.web_searches is 'Web searches run by the API; billed by the search';
comment on column requests.speed is 'The speed that really ran: standard or fast';
comment on column requests.service_tier is 'The tier that really served: standard, batch or priority';
comment on column requests.inference_geo is 'Where inference ran; us costs 1.1 times';
comment on column requests.raw_usage is 'The usage block as JSON where the columns do not say all of it; else null';
comment on column requests.price_status is 'priced or unpriced';
comment on column requests.estimated is 'True when the usage left something open; reason says what';
comment on column requests.reason is 'Why it is estimated, unpriced or free; null for a plain price';
comment on column requests.price_id is 'The price used (prices.price_id), several joined by +; null if none was needed';
comment on column requests.cost_usd is 'Exact cost in USD; null when unpriced';
comment on column requests.list_usd is 'The same tokens at the synchronous price in USD; null when unpriced';

create table batches (
    batch_id            varchar not null,
    workload            varchar not null,
    model               varchar,
    status              varchar not null,
    created_at          timestamptz not null,
    ended_at            timestamptz,
    expires_at          timestamptz not null,
    cancel_initiated_at timestamptz,
    requests            bigint not null,
    succeeded           bigint not null,
    errored             bigint not null,
    canceled            bigint not null,
    expired             bigint not null,
    results_path        varchar,
    observed_at         timestamptz not null
);
comment on table batches is 'One row per message batch, as last observed.';
comment on column batches.batch_id is 'The API''s id (msgbatch_…)';
comment on column batches.workload is 'The workload it was submitted for';
comment on column batches.model is 'The model of its requests; null when they differ or nobody said';
comment on column batches.status is 'processing_status: in_progress, canceling or ended';
comment on column batches.created_at is 'When the API accepted it';
comment on column batches.ended_at is 'When processing ended; null before';
comment on column batches.expires_at is '24 hours after created_at';
comment on column batches.cancel_initiated_at is 'When cancelling was asked for; null if never';
comment on column batches.requests is 'Items submitted';
comment on column batches.succeeded is 'Items succeeded; 0 until the batch has ended, as in the API';
comment on column batches.errored is 'Items errored; 0 until the batch has ended';
comment on column batches.canceled is 'Items canceled; 0 until the batch has ended';
comment on column batches.expired is 'Items expired; 0 until the batch has ended';
comment on column batches.results_path is 'File with the answers under the home; null if not fetched';
comment on column batches.observed_at is 'When this state was seen';

create table decisions (
    decision_id uuid not null,
    decided_at  timestamptz not null,
    workload    varchar not null,
    route       varchar not null,
    answers     varchar not null,
    checks      varchar not null,
    price_ids   varchar not null
);
comment on table decisions is 'One row per routing decision with what it was based on.';
comment on column decisions.decision_id is 'Our own id, a UUID';
comment on column decisions.decided_at is 'When it was decided';
comment on column decisions.workload is 'The workload decided about';
comment on column decisions.route is 'sync, batch or undecided';
comment on column decisions.answers is 'The workload''s answers as JSON';
comment on column decisions.checks is 'The checks with their outcome and reason as JSON';
comment on column decisions.price_ids is 'The prices used as a JSON array';

create table daily (
    day                date not null,
    model              varchar not null,
    workload           varchar not null,
    route              varchar not null,
    requests           bigint not null,
    unpriced_requests  bigint not null,
    estimated_requests bigint not null,
    input_tokens       bigint not null,
    output_tokens      bigint not null,
    cache_read_tokens  bigint not null,
    cache_write_tokens bigint not null,
    cost_usd           decimal(38, 12) not null,
    list_usd           decimal(38, 12) not null
);
comment on table daily is 'Requests added up by day in the ledger''s one time zone; kept in the transaction that adds the requests.';
comment on column daily.day is 'Local day in the ledger''s time zone';
comment on column daily.model is 'As in requests';
comment on column daily.workload is 'As in requests';
comment on column daily.route is 'As in requests';
comment on column daily.requests is 'Requests of all outcomes';
comment on column daily.unpriced_requests is 'Of these without a price';
comment on column daily.estimated_requests is 'Of these with an estimated cost';
comment on column daily.input_tokens is 'Uncached input tokens';
comment on column daily.output_tokens is 'Output tokens';
comment on column daily.cache_read_tokens is 'Tokens read from the prompt cache';
comment on column daily.cache_write_tokens is 'Tokens written to the prompt cache, both lifetimes';
comment on column daily.cost_usd is 'Cost of the priced requests in USD';
comment on column daily.list_usd is 'The same tokens at the synchronous price in USD';
