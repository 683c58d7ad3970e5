// Command back is a service for the tests of package local.
package main

import "example.com/shop/stub"

func main() { stub.Main("back") }
