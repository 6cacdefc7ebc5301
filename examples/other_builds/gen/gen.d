gen/greeting.v1.rs gen/mod.rs gen/people.v1.rs: \
  proto/greeting.proto \
  proto/people.proto

proto/greeting.proto:

proto/people.proto:
