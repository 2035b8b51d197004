insert into requests by name select * exclude (line_number) from fresh;
