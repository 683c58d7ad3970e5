// Package observe proves that what watches the shop shows what is so. One run of the shop, with Prometheus, Alertmanager, Jaeger and
// Loki beside it as they are configured in observability/, is played with and disturbed; then every query of every dashboard must have
// data, one order must be one trace, what is sampled must be what was promised, and an injected error rate must raise one alert.
// What production has between the services and Jaeger's store, which is another way, is proven by itself.
//
//	go test -tags real -v ./test/observe
//
// It prints what it has measured. It needs what .ci/setup installs.
package observe
