"""Fine-tuning: whole encoders are trained, from pretrained weights or from scratch."""
