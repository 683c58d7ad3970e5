// Package auth says on whose behalf a request is made, and whether it may be: it verifies access tokens, enforces the scopes
// that a contract names, and issues tokens for the one service that does.
//
// A token is a JWT (RFC 9068) signed with a key that its issuer publishes as a JWKS (RFC 7517):
//
//	keys, err := auth.NewRemote(auth.RemoteOptions{URL: "http://users:8080/.well-known/jwks.json"})
//	…
//	go keys.Run(ctx)
//	verifier, err := auth.NewVerifier(auth.Options{Issuer: "https://shop.example", Audience: "shop", Keys: keys})
//	…
//	server, err := httpserver.New(httpserver.Options{Contract: api.Contract, Authorize: verifier.Authorize, …})
//
// A handler behind that asks who it is:
//
//	if who, ok := auth.From(ctx); ok && who.Has("orders:write") { … }
//
// # What is accepted
//
// Signatures by public keys alone: ECDSA, RSA with 2048 bits or more, Ed25519; the algorithm is that of the key, so that
// neither "none" nor an HMAC with a public key for its secret is one. iss and aud must be the configured ones, exp must be
// there and not passed, nbf and iat not lie ahead, each within a leeway. What is too large is not looked at. A token that was
// verified is remembered until it ends or its key goes, since checking a signature costs more than most handlers.
//
// The keys are fetched in the background and kept while their source is away; a key that is not known is looked for once,
// not as often as somebody makes one up. Without any keys a request gets 503, not 401: its token may be good.
//
// # Issuing
//
// [Issuer] signs with the current one of its keys (ES256). A key is published before it signs and for as long as a token that
// it signed may be in use; [Rotation] says when the next one is due and which ones are not needed any more. Where the keys are
// kept is the caller's affair; [KeyWrap] makes them fit for a database.
//
// The package keeps no users and no sessions, and takes no part in how somebody proves who they are. It never logs a token
// or puts one into an error.
package auth
