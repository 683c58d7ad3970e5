package config_test

import (
	"fmt"

	"github.com/trellis-mesh/trellis/chassis/config"
)

func Example() {
	var cfg struct {
		Greeting struct {
			Text  string        `default:"hello" doc:"what is said"`
			Times int           `default:"1"`
			Key   config.Secret `doc:"never printed"`
		}
	}
	environ := []string{"APP_GREETING_TIMES=2", "APP_GREETING_KEY=sesame"} // os.Environ() in a program
	if err := config.Load(&cfg, config.Options{Environ: environ}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cfg.Greeting.Text, cfg.Greeting.Times, cfg.Greeting.Key)

	err := config.Load(&cfg, config.Options{Environ: []string{"APP_GREETING_TIME=2"}})
	fmt.Println(err)
	// Output:
	// hello 2 [redacted]
	// configuration: APP_GREETING_TIME (environment) is unknown; did you mean APP_GREETING_TIMES?
}
