// Command gin is the baseline: a bare Gin router and a handler, with nothing switched on.
package main

import (
	"log"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/trellis-mesh/trellis/bench/server/thing"
)

func main() {
	options := thing.ParseOptions()
	gin.SetMode(gin.ReleaseMode)
	store := thing.NewStore()

	router := gin.New()
	router.GET("/v1/things/:id", func(c *gin.Context) {
		t, ok := store.Find(c.Param("id"))
		if !ok {
			c.Status(http.StatusNotFound)
			return
		}
		c.JSON(http.StatusOK, t)
	})
	server := &http.Server{Addr: options.Addr, Handler: router, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}
