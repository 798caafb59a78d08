using ManagedTransformers.Models;
using ManagedTransformers.Testing;

namespace ManagedTransformers.Runtime.Tests;

/// <summary>LoadOptions.MapWeights = false: what happens to the files after loading changes nothing.</summary>
public sealed class UnmappedWeightsTests
{
    [Test]
    public void Cutting_the_weights_after_loading_leaves_the_answers()
    {
        string directory = Directory.CreateTempSubdirectory().FullName;
        try
        {
            foreach (string file in Directory.GetFiles(Path.Combine(RepositoryRoot.Path, "models", "demo-fill-mask")))
                File.Copy(file, Path.Combine(directory, Path.GetFileName(file)));
            var options = new PipelineOptions { Load = new LoadOptions { MapWeights = false } };
            using FillMaskPipeline read = FillMaskPipeline.Load(directory, options);
            float whole;
            using (FillMaskPipeline mapped = FillMaskPipeline.Load(directory))
                whole = mapped.Predict("public static <mask> set($key) {")[0].Score;
            using (FileStream file = File.OpenWrite(Path.Combine(directory, "model.safetensors")))
                file.SetLength(0);
            FillMaskPrediction best = read.Predict("public static <mask> set($key) {")[0];
            Assert.That((best.TokenText, best.Score), Is.EqualTo((" function", whole)));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
