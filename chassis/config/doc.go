// Package config fills a typed struct from defaults, a YAML file and the environment, in this order, and refuses what it
// does not know.
//
//	var cfg struct {
//		config.Service `config:",squash"`
//		Payments struct {
//			Key   config.Secret `config:"key" required:"true" doc:"key of the payment provider"`
//			Limit int           `config:"limit" default:"100" doc:"payments at a time"`
//		} `config:"payments"`
//	}
//	err := config.Load(&cfg, config.Options{Environ: os.Environ()})
//
// The tags of a field: config is its name (else the field's name with a small first letter), default its default as text,
// required:"true" refuses to go without, env names one more variable, doc says what it is for.
//
// A key has the same name everywhere: payments.limit is
//
//	payments: {limit: 5}         in the file that CONFIG_FILE names
//	APP_PAYMENTS_LIMIT=5         in the environment: . and - and the humps of camelCase become _
//	APP_PAYMENTS_KEY_FILE=/run/secrets/key   for texts and secrets: the value is what the file holds
//
// An empty variable counts as unset. A map's entries have names of their own: calls.user-profile.url is
// APP_CALLS_USER_PROFILE_URL.
//
// A key or a variable that nobody knows is an error that names the nearest key, since it is most likely a typing error; so is
// a value of the wrong type. All errors come at once, each with the key, where it was given, and what to do. Secrets are
// of type Secret, which does not print.
//
// It is not for values that change while the program runs, and not for feature flags.
package config
