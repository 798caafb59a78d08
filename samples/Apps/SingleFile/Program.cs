// Says which language a snippet is in, with the model inside the one file of the app.
// dotnet publish -c Release samples/Apps/SingleFile -o DIR; DIR/SingleFile 'outcome := rand.Intn(6) + 1'
using System.Reflection;
using ManagedTransformers;

var files = new Dictionary<string, ReadOnlyMemory<byte>>();
foreach (string name in Assembly.GetExecutingAssembly().GetManifestResourceNames())
{
    using Stream resource = Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!;
    byte[] bytes = new byte[resource.Length];
    resource.ReadExactly(bytes);
    files[name] = bytes;
}

using var classifier = TextClassificationPipeline.FromFiles(files);
foreach (LabelScore answer in classifier.Classify(args.Length > 0 ? args[0] : "outcome := rand.Intn(6) + 1").Take(2))
    Console.WriteLine($"{answer.Label,-10} {answer.Score:P1}");
