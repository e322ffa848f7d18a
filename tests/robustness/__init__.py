"""Each script breaks something under a running job and checks what is promised then."""
