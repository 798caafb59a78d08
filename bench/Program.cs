using BenchmarkDotNet.Running;
using ManagedTransformers.Bench;

BenchmarkSwitcher.FromAssembly(typeof(MatMulBenchmarks).Assembly).Run(args);
