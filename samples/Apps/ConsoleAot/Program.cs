// Completes code, compiled ahead of time: one native file and the model beside it.
// dotnet publish -c Release samples/Apps/ConsoleAot -o DIR; DIR/ConsoleAot 'def add(a, b):'
using System.Diagnostics;
using ManagedTransformers;
using ManagedTransformers.Kernels;

string prompt = args.Length > 0 ? args[0] : "def hello_world():";
string model = Path.Combine(AppContext.BaseDirectory, "models", "demo-codegen");

using var generator = TextGenerator.Load(model);
Console.WriteLine($"kernels: {KernelDispatch.Level} of {string.Join(", ", KernelDispatch.Supported)}");
Console.WriteLine(prompt + generator.Generate(prompt, new GenerationOptions { MaxNewTokens = 24 }));

using var process = Process.GetCurrentProcess();
double first = (DateTime.Now - process.StartTime).TotalSeconds;

// Again, now that all is warm: 64 tokens.
var cpu = new List<double>();
for (int run = 0; run < 5; run++)
{
    double before = process.TotalProcessorTime.TotalMilliseconds;
    generator.Generate(prompt, new GenerationOptions { MinNewTokens = 64, MaxNewTokens = 64 });
    process.Refresh();
    cpu.Add(process.TotalProcessorTime.TotalMilliseconds - before);
}
cpu.Sort();
double beside = (process.PeakWorkingSet64 - new FileInfo(Path.Combine(model, "model.safetensors")).Length) / 1e6;
Console.WriteLine($"first answer {first:F2} s, 64 tokens {cpu[2]:F0} ms of CPU time, memory besides the model {beside:F0} MB");
