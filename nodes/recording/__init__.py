"""What `record` is made of: conversion, ring, keeping, and the thread that writes."""
