// Package chaos holds no code but tests: it kills the parts of a sync at random moments and checks that nothing is lost and no verdict is wrong.
package chaos
