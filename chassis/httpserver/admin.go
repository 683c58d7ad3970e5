package httpserver

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/trellis-mesh/trellis/chassis/problem"
)

// NewAdmin makes the admin server: /metrics, /health/live, /health/ready, /debug/pprof/, /log/level, /fault and /build.
// It is for the platform and its operators; it must not be reachable from outside.
func NewAdmin(opt Options) (*Server, error) {
	if opt.Addr == "" {
		opt.Addr = ":9090"
	}
	if opt.WriteTimeout <= 0 {
		opt.WriteTimeout = 150 * time.Second
	}
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	engine, err := newEngine(opt)
	if err != nil {
		return nil, err
	}
	s := &Server{opt: opt, engine: engine}
	engine.Use(s.guard)
	mountHealth(engine, opt.Health)
	engine.GET("/metrics", gin.WrapH(promhttp.HandlerFor(opt.Telemetry.Registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true, // the only text format that carries exemplars
		ErrorLog:          slog.NewLogLogger(opt.Telemetry.Log.Handler(), slog.LevelWarn),
	})))
	engine.GET("/log/level", s.showLevel)
	engine.PUT("/log/level", s.changeLevel)
	engine.GET("/build", s.showBuild)
	mountProfiles(engine)
	if opt.Fault != nil {
		handler := gin.WrapH(opt.Fault.Handler())
		engine.GET("/fault", handler)
		engine.PUT("/fault", handler)
		engine.DELETE("/fault", handler)
	}
	return s, nil
}

// guard bounds bodies and answers 500 to a panic.
func (s *Server) guard(c *gin.Context) {
	defer func() {
		if panicked := recover(); panicked != nil {
			s.opt.Telemetry.Log.ErrorContext(c, "panic", slog.String("error", fmt.Sprint(panicked)), slog.String("stack", string(debug.Stack())))
			problem.Abort(c, problem.Internal(fmt.Errorf("panic: %v", panicked)))
		}
	}()
	if limitBody(c, s.opt.BodyLimit) {
		c.Next()
	}
}

func mountProfiles(engine *gin.Engine) {
	profiles := map[string]http.HandlerFunc{"/cmdline": pprof.Cmdline, "/profile": pprof.Profile, "/symbol": pprof.Symbol, "/trace": pprof.Trace}
	engine.GET("/debug/pprof/*name", func(c *gin.Context) {
		handler, ok := profiles[c.Param("name")]
		if !ok {
			handler = pprof.Index // it serves the named profiles too
		}
		handler(c.Writer, c.Request)
	})
}

func (s *Server) showLevel(c *gin.Context) {
	c.JSON(http.StatusOK, gin.H{"level": s.opt.Telemetry.Level.Level().String()})
}

// changeLevel takes {"level":"debug"} or the bare word.
func (s *Server) changeLevel(c *gin.Context) {
	body, err := io.ReadAll(c.Request.Body)
	if err != nil {
		problem.Abort(c, err)
		return
	}
	wanted := strings.TrimSpace(string(body))
	if strings.HasPrefix(wanted, "{") {
		var named struct{ Level string }
		if err := json.Unmarshal(body, &named); err != nil {
			problem.Abort(c, problem.BadRequest("malformed_body", `The body is neither JSON like {"level":"debug"} nor a level.`))
			return
		}
		wanted = named.Level
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(wanted)); err != nil {
		problem.Abort(c, problem.Invalid("unknown_level", "There is no such level.",
			problem.FieldError{In: "body", Pointer: "/level", Detail: "must be debug, info, warn or error"}))
		return
	}
	before := s.opt.Telemetry.Level.Level()
	s.opt.Telemetry.Level.Set(level)
	s.opt.Telemetry.Log.WarnContext(c, "log level changed", slog.String("from", before.String()), slog.String("to", level.String()))
	s.showLevel(c)
}

// showBuild says what is running.
func (s *Server) showBuild(c *gin.Context) {
	answer := gin.H{"service": s.opt.Telemetry.Service, "version": s.opt.Telemetry.Version}
	if info, ok := debug.ReadBuildInfo(); ok {
		answer["go"], answer["module"] = info.GoVersion, info.Main.Path
		for _, setting := range info.Settings {
			if strings.HasPrefix(setting.Key, "vcs.") {
				answer[strings.ReplaceAll(setting.Key, ".", "_")] = setting.Value
			}
		}
	}
	c.JSON(http.StatusOK, answer)
}
