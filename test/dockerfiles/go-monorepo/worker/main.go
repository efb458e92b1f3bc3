package main // worker
