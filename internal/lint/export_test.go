package lint

// ProveQueries is Queries with another chassis.
var ProveQueries = proveQueries
