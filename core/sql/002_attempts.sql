-- What capture knows of a request beside its usage. Rows of before know none of it.

alter table requests add column attempt_statuses varchar;
alter table requests add column streamed boolean;
alter table requests add column incomplete boolean default false;
comment on column requests.attempt_statuses is 'HTTP statuses of its attempts as a JSON array, 0 for one without an answer; null if unknown or a single 200';
comment on column requests.streamed is 'Whether the answer was streamed; null if unknown';
comment on column requests.incomplete is 'True when the stream broke off, so that tokens and cost are a lower bound';
