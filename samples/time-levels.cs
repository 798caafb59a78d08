#:property PublishAot=false
#:project ../src/Runtime/Runtime.csproj

// The same model at every kernel level of this processor: how long, and how far from the plain loops of Reference.
// dotnet run -c Release samples/time-levels.cs [THREADS]
using System.Diagnostics;
using System.Runtime.CompilerServices;
using ManagedTransformers.Kernels;
using ManagedTransformers.Models;

int threads = args.Length > 0 ? int.Parse(args[0]) : 1;
string directory = Path.Combine(Root(), "models", "demo-codegen");
int[] ids = [.. Enumerable.Range(0, 48).Select(i => 300 + (37 * i % 7000))];
float[]? reference = null;

Console.WriteLine($"{ids.Length} tokens read, 16 written, {threads} thread(s)");
Console.WriteLine("level        read ms   write ms   largest error");
foreach (KernelLevel level in KernelDispatch.Supported.Order())      // Reference first
{
    using var model = PretrainedModels.Load<ICausalLM>(directory, new LoadOptions { Kernels = new KernelOptions { Level = level, MaxThreads = threads } });
    float[] logits = Run(model, out _, out _);                        // once for the compiler and the caches, which are not timed
    reference ??= logits;
    var runs = Enumerable.Range(0, level == KernelLevel.Reference ? 1 : 5)
        .Select(_ => { Run(model, out double read, out double write); return (Read: read, Write: write); }).ToArray();
    double error = logits.Zip(reference, (a, b) => Math.Abs(a - b)).Max() / reference.Max(Math.Abs);
    Console.WriteLine($"{level,-10} {runs.Min(run => run.Read),9:F1} {runs.Min(run => run.Write),10:F1} {error,15:0.0E+00}");
}

// Reading is products of matrices, writing products of a matrix with a vector: they profit differently.
float[] Run(ICausalLM model, out double read, out double write)
{
    using Session session = model.CreateSession();
    var watch = Stopwatch.StartNew();
    float[] logits = model.Forward(ids, session).Logits.ToArray();
    read = watch.Elapsed.TotalMilliseconds;
    for (int i = 0; i < 16; i++)
        model.Step([ids[i]], [0], session);
    write = watch.Elapsed.TotalMilliseconds - read;
    return logits;
}

static string Root([CallerFilePath] string path = "") => Path.GetDirectoryName(Path.GetDirectoryName(path))!;
