// Package kind proves what the platform promises on the cluster that `make kind-up` made: with the services' own pods, sidecars
// and stores, and with requests that are sent while versions change and pods die. Each test prints what it measured.
//
//	make kind-e2e
//
// A test that changes what runs puts it back. What a person would change in files is changed in a copy of the platform, by the
// scaffold command itself. Requests that are to come from a service come from a pod with that service's identity: package probe.
package kind
