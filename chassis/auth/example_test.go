package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/trellis-mesh/trellis/chassis/auth"
)

// A token is issued with a key, and lets a request through that has its scope.
func Example() {
	key, err := auth.NewSigningKey(time.Now())
	if err != nil {
		panic(err)
	}
	issuer, err := auth.NewIssuer(auth.IssuerOptions{Issuer: "https://shop.example", Audience: "shop"})
	if err != nil {
		panic(err)
	}
	if err := issuer.Use([]auth.SigningKey{key}); err != nil {
		panic(err)
	}
	token, lifetime, err := issuer.Issue(auth.Grant{Subject: "ada", Client: "web", Scopes: []string{"orders:read"}})
	if err != nil {
		panic(err)
	}
	fmt.Println("valid for", lifetime)

	// Another service has an auth.Remote for its keys.
	verifier, err := auth.NewVerifier(auth.Options{Issuer: "https://shop.example", Audience: "shop", Keys: issuer})
	if err != nil {
		panic(err)
	}
	request := http.Header{"Authorization": {"Bearer " + token}}
	ctx, err := verifier.Authorize(context.Background(), request, [][]string{{"orders:read"}})
	if err != nil {
		panic(err)
	}
	who, _ := auth.From(ctx)
	fmt.Println(who.Subject, "may read")

	_, err = verifier.Authorize(context.Background(), request, [][]string{{"orders:write"}})
	var refused *auth.Refusal
	if errors.As(err, &refused) {
		fmt.Println(refused.Problem().Status, refused.Challenge())
	}
	// Output:
	// valid for 10m0s
	// ada may read
	// 403 Bearer error="insufficient_scope", scope="orders:write"
}
